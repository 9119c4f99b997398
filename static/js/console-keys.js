// Keys for a machine that sits behind a browser: chords the browser would keep, and whole texts.

import KeyTable from "../npm/@novnc/novnc/core/input/keysym.js";
import keysyms from "../npm/@novnc/novnc/core/input/keysymdef.js";

const PAUSE_MS = 15; // a guest's keyboard controller holds few keys at a time
const SHIFTED = /[A-Z~!@#$%^&*()_+{}|:"<>?]/; // on a US keyboard, which is what QEMU takes keys for

const KEYS = {
  ControlLeft: KeyTable.XK_Control_L,
  AltLeft: KeyTable.XK_Alt_L,
  ShiftLeft: KeyTable.XK_Shift_L,
  MetaLeft: KeyTable.XK_Super_L,
  Delete: KeyTable.XK_Delete,
  Backspace: KeyTable.XK_BackSpace,
  Tab: KeyTable.XK_Tab,
  Escape: KeyTable.XK_Escape,
  PrintScreen: KeyTable.XK_Print,
  F1: KeyTable.XK_F1,
  F2: KeyTable.XK_F2,
  F3: KeyTable.XK_F3,
  F4: KeyTable.XK_F4,
  F7: KeyTable.XK_F7,
};

const CONTROLS = { "\n": KeyTable.XK_Return, "\t": KeyTable.XK_Tab };

// Presses keys, named by their KeyboardEvent.code, in this order and lets them go in the other.
export function press(rfb, codes) {
  for (const code of codes) rfb.sendKey(KEYS[code], code, true);
  for (const code of codes.toReversed()) rfb.sendKey(KEYS[code], code, false);
}

// Lets go of the keys of a chord that took the focus away: the machine would never hear that they were released.
export function release(rfb, codes) {
  for (const code of codes) rfb.sendKey(KEYS[code], code, false);
}

// Types a text; what a US keyboard does not have is sent by its keysym, and the machine may or may not know it.
export async function type(rfb, text) {
  for (const character of text.replaceAll("\r\n", "\n")) {
    const shifted = SHIFTED.test(character);
    if (shifted) rfb.sendKey(KEYS.ShiftLeft, "ShiftLeft", true);
    rfb.sendKey(CONTROLS[character] ?? keysyms.lookup(character.codePointAt(0)), null);
    if (shifted) rfb.sendKey(KEYS.ShiftLeft, "ShiftLeft", false);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
