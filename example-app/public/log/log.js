import { byId, print, startConnection } from '/tour.js';

startConnection('/log/', (data) => print(byId('screen'), data));

byId('ask').addEventListener('click', () => fetch('/echo/?message=hello'));
