import { reactRouter } from '@react-router/dev/vite';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [reactRouter()],
  // The folder with node_modules, where React Router has the entry of its client.
  server: { fs: { allow: ['../..'] } },
});
