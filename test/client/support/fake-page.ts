import { vi } from 'vitest';

/** Puts the globals of a web page in place, and gives functions that change them. Use `vi.unstubAllGlobals` afterwards. */
export function stubPage(href = 'https://a.test/chat/?x=1#part') {
  const page = new EventTarget();
  const document = { visibilityState: 'visible' };
  const navigator = { onLine: true };
  const listening = new Set<string>();
  const addEventListener = (type: string, listener: () => void, options: AddEventListenerOptions) => {
    listening.add(type);
    options.signal?.addEventListener('abort', () => listening.delete(type));
    page.addEventListener(type, listener, options);
  };
  for (const [name, value] of Object.entries({ addEventListener, document, navigator, location: { href } }))
    vi.stubGlobal(name, value);
  return {
    /** The events that somebody listens for. */
    listening,
    show(isVisible: boolean) {
      document.visibilityState = isVisible ? 'visible' : 'hidden';
      page.dispatchEvent(new Event('visibilitychange'));
    },
    setOnline(isOnline: boolean) {
      navigator.onLine = isOnline;
      page.dispatchEvent(new Event(isOnline ? 'online' : 'offline'));
    },
  };
}

interface AddEventListenerOptions {
  readonly signal?: AbortSignal;
}
