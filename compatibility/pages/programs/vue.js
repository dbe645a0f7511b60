// The page of the tests in Vue, which hydrates what vue-server.js has rendered.
import { createSSRApp, h, ref } from 'vue';
import Chat from '../.page/vue/chat.vue';

const room = ref('one');
const app = createSSRApp({ render: () => h(Chat, { room: room.value }) });
app.mount('#root');

globalThis.show = (next) => (room.value = next);
globalThis.hide = () => app.unmount();
