/**
 * A progress bar on standard error, if that is a terminal and nobody asked for quiet; else nothing.
 * A bar is wiped when it stops, so that what is printed after it reads as without it.
 */
import process from "node:process";
import cliProgress from "cli-progress";

/** How far a command has come. */
export interface Bar {
  /** `total` 0 means that it is not known. */
  update(done: number, total: number): void;
  stop(): void;
}

const NONE: Bar = { update() {}, stop() {} };

/** Redraws in a second. */
const FRAMES = 10;

/** Starts a bar; `show` prints what `done` and `total` count. */
export function startBar(label: string, show: (value: number) => string, isQuiet: boolean): Bar {
  if (isQuiet || process.stderr.isTTY !== true) return NONE;
  const bar = new cliProgress.SingleBar({
    format: (options, params, payload) => {
      const { total, value } = params;
      const format = total > 0
        ? `${label} {bar} {percentage}% | ${show(value)} of ${show(total)} | {eta_formatted}`
        : `${label} ${show(value)}`;
      return cliProgress.Format.Formatter({ ...options, format }, params, payload);
    },
    barsize: 30,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    fps: FRAMES,
    gracefulExit: false,
    hideCursor: true,
    stream: process.stderr,
  });
  bar.start(0, 0);
  const stop = () => bar.stop();
  // Ending in the middle must give the terminal its cursor back.
  process.once("exit", stop);
  return {
    update(done, total) {
      if (bar.getTotal() !== total) bar.setTotal(total);
      bar.update(done);
    },
    stop() {
      process.off("exit", stop);
      stop();
    },
  };
}
