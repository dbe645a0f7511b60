import { channel } from 'node:diagnostics_channel';

// What is published on each is `Diagnostics`, in diagnostics-messages.ts. Nothing is made for a channel that nobody
// listens to.

export const onOpen = channel('dwebsocket.open');
export const onRefused = channel('dwebsocket.refused');
export const onReceive = channel('dwebsocket.receive');
export const onSend = channel('dwebsocket.send');
export const onClose = channel('dwebsocket.close');
export const onError = channel('dwebsocket.error');
