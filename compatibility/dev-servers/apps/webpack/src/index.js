/* global document */

document.body.append('before');
