/** The version of this package, from its package.json: one place. */
import description from "../../package.json" with { type: "json" };

/** Such as `0.1.0`. */
export function version(): string {
  return description.version;
}
