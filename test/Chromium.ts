/**
 * A headless Chromium, for tests of pages: opens files, evaluates expressions, keeps pictures, and
 * gathers every error. Spoken to by its own protocol over a WebSocket; nothing is installed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Buffer } from "node:buffer";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";

const PROGRAMS = ["chromium", "chromium-browser", "google-chrome"];
/** Longest wait for an answer, milliseconds. */
const PATIENCE_MS = 60_000;

/** The program, or why there is none. */
export function findChromium(): { readonly program?: string; readonly skip: string | false } {
  const program = PROGRAMS.find((name) => {
    return spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0;
  });
  if (program !== undefined) return { program, skip: false };
  return { skip: `there is no Chromium: apt-get install chromium` };
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A browser with one page. */
export class Chromium implements AsyncDisposable {
  /** What the page complained of. */
  readonly errors: string[] = [];
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting: Map<number, (answer: Answer) => void> = new Map();
  #session: string | undefined;
  #loaded: () => void = () => {};
  #last = 0;

  private constructor(child: ChildProcess, folder: string, socket: WebSocket) {
    this.#process = child;
    this.#folder = folder;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#read(JSON.parse(String(data)));
  }

  /** Starts one. */
  static async start(program: string): Promise<Chromium> {
    const folder = mkdtempSync(join(tmpdir(), "zeolite-chromium-"));
    const root = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const child = spawn(program, [
      "--headless",
      "--disable-gpu",
      // Nothing but the page is asked for.
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--remote-debugging-port=0",
      `--user-data-dir=${folder}`,
      ...root,
      "about:blank",
    ], { stdio: ["ignore", "ignore", "pipe"] });
    const url = await new Promise<string>((resolve, reject) => {
      child.on("exit", () => reject(new Error("Chromium ended")));
      createInterface({ input: child.stderr! }).on("line", (line) => {
        const [, found] = /listening on (ws:\S+)/.exec(line) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("Chromium does not answer"));
    });
    const browser = new Chromium(child, folder, socket);
    const { targetId } = await browser.#tell("Target.createTarget", { url: "about:blank" });
    const attached = await browser.#tell("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = attached["sessionId"] as string;
    for (const domain of ["Page", "Runtime", "Log"]) await browser.#tell(`${domain}.enable`);
    return browser;
  }

  #read({ id, method, params = {}, result, error }: Answer): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.({ result: result ?? {}, ...(error === undefined ? {} : { error }) });
      this.#waiting.delete(id);
    } else if (method === "Page.loadEventFired") this.#loaded();
    else if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
      this.errors.push(JSON.stringify(params));
    } else if (method === "Runtime.consoleAPICalled" && params["type"] === "error") {
      this.errors.push(JSON.stringify(params["args"]));
    }
  }

  async #tell(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = this.#last += 1;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, resolve);
      timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), PATIENCE_MS);
      const session = this.#session === undefined ? {} : { sessionId: this.#session };
      this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    }).finally(() => clearTimeout(timer));
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result!;
  }

  /** Makes the window as wide as this, pixels. */
  async resize(width: number): Promise<void> {
    const size = { width, height: 900, deviceScaleFactor: 1, mobile: false };
    await this.#tell("Emulation.setDeviceMetricsOverride", size);
  }

  /** Prints the page; the file, and how many sheets it takes. */
  async print(path: string): Promise<number> {
    const { data } = await this.#tell("Page.printToPDF", { printBackground: true });
    const bytes = Buffer.from(data as string, "base64");
    writeFileSync(path, bytes);
    return bytes.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
  }

  /** Opens a page, in one of the two schemes, and waits until it is there. */
  async open(url: string, scheme: "light" | "dark" = "light"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#tell("Emulation.setEmulatedMedia", { features });
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve;
    });
    await this.#tell("Page.navigate", { url });
    await loaded;
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const answer = await this.#tell("Runtime.evaluate", { expression, returnByValue: true });
    if ("exceptionDetails" in answer) throw new Error(JSON.stringify(answer["exceptionDetails"]));
    return (answer["result"] as { value: T }).value;
  }

  /** Writes a picture of the whole page. */
  async picture(path: string): Promise<void> {
    const options = { format: "png", captureBeyondViewport: true };
    const { data } = await this.#tell("Page.captureScreenshot", options);
    writeFileSync(path, Buffer.from(data as string, "base64"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise((resolve) => this.#process.on("close", resolve));
    this.#socket.close();
    this.#process.kill("SIGKILL");
    await gone;
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
