import type { HandshakeSection, Section } from '../case.js';
import { closing } from './closing.js';
import { controlFrames } from './control-frames.js';
import { deflate, deflateOff, deflateParameters } from './deflate.js';
import { fragmentation } from './fragmentation.js';
import { framing } from './framing.js';
import { extensionChoices, extensions, handshake, subprotocols } from './handshake.js';
import { defaultLimits, limits, manyFragments, messageKinds } from './limits.js';
import { reserved } from './reserved.js';
import { utf8 } from './utf8.js';

export const handshakeSections: HandshakeSection[] = [
  handshake,
  subprotocols,
  extensions,
  ...extensionChoices,
];

export const sections: Section[] = [
  framing,
  controlFrames,
  reserved,
  fragmentation,
  utf8,
  closing,
  limits,
  defaultLimits,
  manyFragments,
  ...messageKinds,
  deflate,
  deflateParameters,
  deflateOff,
];
