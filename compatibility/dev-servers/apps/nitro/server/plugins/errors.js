import { definePlugin } from 'nitro';

export default definePlugin((nitro) => {
  nitro.hooks.hook('error', (error) => console.log(`failed: ${error.message}`));
});
