/* global document */

document.body.append('before');
import.meta.hot?.accept();
