/* global defineNitroPlugin */

export default defineNitroPlugin((nitro) => {
  nitro.hooks.hook('error', (error) => console.log(`failed: ${error.message}`));
});
