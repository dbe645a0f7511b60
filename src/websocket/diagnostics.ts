import { channel } from 'node:diagnostics_channel';

// `Diagnostics` in diagnostics-messages.ts describes the message of each channel. Create a message only if the channel
// has subscribers.

export const onOpen = channel('dwebsocket.open');
export const onRefused = channel('dwebsocket.refused');
export const onReceive = channel('dwebsocket.receive');
export const onSend = channel('dwebsocket.send');
export const onClose = channel('dwebsocket.close');
export const onError = channel('dwebsocket.error');
export const onInvalid = channel('dwebsocket.invalid');
export const onGroupReceive = channel('dwebsocket.group.receive');
