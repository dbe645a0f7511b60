/** Describes how a websocket ended. */
export interface CloseInfo {
  /** The close code of the side that closed first. 1005: its close frame had no code. 1006: there was no close frame. */
  readonly code: number;
  /** The reason that belongs to the code, or `''`. */
  readonly reason: string;
  /** Whether both sides have sent a close frame. */
  readonly wasClean: boolean;
}
