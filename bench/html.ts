/** What pages that are one file have in common. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { embeddedFile } from "./embedded.ts";

/** A file of a package that `bench/package.json` pins, or nothing where it is not installed. */
export function readPackage(name: string, path: string): string | undefined {
  const inside = embeddedFile(`${name}/${path}`);
  const file = inside ?? fileURLToPath(new URL(`node_modules/${name}/${path}`, import.meta.url));
  return inside !== undefined || existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Text as HTML, in an attribute as well. */
export function escapeHtml(text: string): string {
  const names: Readonly<Record<string, string>> = { "&": "amp", "<": "lt", ">": "gt", '"': "quot" };
  return text.replace(/[&<>"]/g, (sign) => `&${names[sign]};`);
}

/** A script inside a page; what would end it early is written otherwise. */
export function inlineScript(code: string): string {
  return `<script>${code.replaceAll("</script", "<\\/script")}</script>`;
}
