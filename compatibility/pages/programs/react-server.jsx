import { StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { Chat } from '../.page/react/chat.jsx';

export const render = () =>
  renderToString(
    <StrictMode>
      <Chat room="one" />
    </StrictMode>,
  );
