// What every signed-in page does. Each part stands in a file of its own.

import { startForms } from "./forms.js";
import { startLive } from "./live.js";
import { startMessages } from "./messages.js";
import { startPalette } from "./palette.js";
import { startShell } from "./shell.js";
import { startTimes } from "./times.js";

startMessages();
startForms();
startShell();
startTimes();
startPalette();
startLive();
