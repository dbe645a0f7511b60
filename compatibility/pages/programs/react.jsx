// The page of the tests in React, which hydrates what react-server.jsx has rendered.
import { StrictMode } from 'react';
import { hydrateRoot } from 'react-dom/client';
import { Chat } from '../.page/react/chat.jsx';

const app = (room) => (
  <StrictMode>
    <Chat room={room} />
  </StrictMode>
);
const root = hydrateRoot(document.getElementById('root'), app('one'));

globalThis.show = (room) => root.render(app(room));
globalThis.hide = () => root.unmount();
