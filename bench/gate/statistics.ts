/**
 * The statistics of the gate, and nothing else: no clock, no file, no engine. Figures are
 * logarithms of ratios, one a block: a block has processes of its own, so blocks are independent,
 * while turns within one are not. Under "nothing has changed" which of the two builds is called
 * which is a coin that was tossed, so each figure is as likely to have the other sign: the
 * signed-rank test of Wilcoxon is exact then, whatever the noise looks like. Its interval stands
 * around the estimate of Hodges and Lehmann, which one stalled block does not move; a t interval,
 * made of the squares of such blocks, grows too wide to see anything.
 */

/** An estimate and where it may lie. */
export interface Interval {
  readonly low: number;
  readonly middle: number;
  readonly high: number;
}

/** What is said of a workload. */
export type Judgement = "slower" | "faster" | "same" | "unclear";

/** What the judge goes by. */
export interface Rules {
  /** The slowdown that fails: 0.1 is 10 %. */
  readonly threshold: number;
  /** How often an unchanged tree may fail, over all workloads together. */
  readonly alpha: number;
}

/** The value in the middle. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}

/** The means of all pairs, each figure paired with itself as well, in order. */
function pairMeans(figures: readonly number[]): Float64Array {
  const means = new Float64Array(figures.length * (figures.length + 1) / 2);
  let place = 0;
  for (let first = 0; first < figures.length; first += 1) {
    for (let second = first; second < figures.length; second += 1) {
      means[place] = (figures[first]! + figures[second]!) / 2;
      place += 1;
    }
  }
  return means.sort();
}

/**
 * How many of the smallest means of pairs lie outside an interval that misses on one side with at
 * most this probability; -1 if so few figures cannot give one.
 */
export function outside(count: number, tail: number): number {
  // ways[sum]: in how many of the 2^count ways the ranks with a plus add up to the sum.
  const most = count * (count + 1) / 2;
  const ways = new Float64Array(most + 1);
  ways[0] = 1;
  for (let rank = 1; rank <= count; rank += 1) {
    for (let sum = most; sum >= rank; sum -= 1) ways[sum]! += ways[sum - rank]!;
  }
  const all = 2 ** count;
  let probability = 0;
  for (let sum = 0; sum <= most; sum += 1) {
    probability += ways[sum]! / all;
    if (probability > tail) return sum - 1;
  }
  return most;
}

/** Whether so many blocks can give an interval at all. */
export function blocksNeeded(tail: number): number {
  return Math.ceil(-Math.log2(tail));
}

/**
 * The estimate and its interval.
 *
 * @param tail How often each end may miss.
 */
export function intervalOf(figures: readonly number[], tail: number): Interval {
  if (figures.length === 0) {
    return { low: -Infinity, middle: NaN, high: Infinity };
  }
  const means = pairMeans(figures);
  const middle = median([...means]);
  const cut = outside(figures.length, tail);
  if (cut < 0) return { low: -Infinity, middle, high: Infinity };
  return { low: means[cut]!, middle, high: means[means.length - 1 - cut]! };
}

/** How often one end of one workload may miss, so that all together miss as seldom as said. */
export function tailOf({ alpha }: Rules, workloads: number): number {
  return alpha / Math.max(1, workloads);
}

/** Whether the interval is narrow enough to tell the threshold from nothing and from half as much
 * again. */
export function isNarrow(
  { low, high }: Interval,
  { threshold }: Rules,
): boolean {
  return high - low <= Math.log1p(threshold);
}

/**
 * The judgement: slower, if the estimate is beyond the threshold and no change at all is outside
 * the interval.
 */
export function judge(
  { low, middle, high }: Interval,
  { threshold }: Rules,
): Judgement {
  const limit = Math.log1p(threshold);
  if (middle > limit && low > 0) return "slower";
  if (middle < -limit && high < 0) return "faster";
  return high < limit || (middle <= limit && high - low <= limit) ? "same" : "unclear";
}

/** The spread of the figures as the standard deviation of a bell curve would be, by the median. */
export function noiseOf(figures: readonly number[]): number {
  if (figures.length === 0) return NaN;
  const middle = median(figures);
  return 1.4826 * median(figures.map((figure) => Math.abs(figure - middle)));
}
