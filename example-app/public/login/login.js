import { setUpConnection } from '/tour.js';

setUpConnection('/account/', () => {});
