/**
 * Ctrl-C. The first asks the command to stop at the next row, page or batch, so that it closes the
 * store and removes what is half made; the second ends the process at once. Neither can harm the
 * store: it survives a kill at any moment.
 */
import process from "node:process";
import { EXIT, Interrupted } from "./exit.ts";

let isAsked = false;

function onSignal(): void {
  if (isAsked) process.exit(EXIT.interrupted);
  isAsked = true;
}

/** Begins to listen for the signals that end a command. */
export function listen(): void {
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
}

/** Lets the process end by itself: a listener may keep it alive. */
export function unlisten(): void {
  process.off("SIGINT", onSignal);
  process.off("SIGTERM", onSignal);
}

/** Was the command asked to stop? */
export function isInterrupted(): boolean {
  return isAsked;
}

/** Throws if the command was asked to stop. */
export function stopIfInterrupted(): void {
  if (isAsked) throw new Interrupted();
}
