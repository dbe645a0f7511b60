import { vi } from 'vitest';

/** Puts the globals of a web page in place, and gives functions that change them. Use `vi.unstubAllGlobals` afterwards. */
export function stubPage(href = 'https://a.test/chat/?x=1#part') {
  const page = new EventTarget();
  const document = { hidden: false };
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
      document.hidden = !isVisible;
      page.dispatchEvent(new Event('visibilitychange'));
    },
    /** Emits 'pageshow', when the page has loaded or returns from the back/forward cache. */
    showFromCache(persisted: boolean) {
      page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }));
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
