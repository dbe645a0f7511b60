/** What the client uses of a page. Other platforms have some of it, or nothing. */
export const page = globalThis as {
  addEventListener?(
    type: string,
    listener: (event: { type: string; persisted?: boolean }) => void,
    options: object,
  ): void;
  readonly document?: { readonly hidden: boolean };
  readonly location?: { readonly href: string };
  readonly navigator?: { readonly onLine?: boolean };
};
