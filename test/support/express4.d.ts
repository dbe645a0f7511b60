// Express 4 under a name of its own; for what the tests use of it, the types of Express 5 hold.
declare module 'express4' {
  import express from 'express';
  export default express;
}
