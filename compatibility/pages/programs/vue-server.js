import { createSSRApp } from 'vue';
import { renderToString } from 'vue/server-renderer';
import Chat from '../.page/vue/chat.vue';

export const render = () => renderToString(createSSRApp(Chat, { room: 'one' }));
