/** Work on several things at the same time, whose results come in order. */

/**
 * @param most that are under way at once, at least 1
 * @param work never throws before it returns its promise
 */
export async function* ahead<Item, Result>(
  items: Iterable<Item>,
  most: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const underWay: Promise<Result>[] = [];
  for (const item of items) {
    const begun = work(item);
    // Its failure is told when it is its turn.
    begun.catch(() => {});
    underWay.push(begun);
    if (underWay.length >= most) yield await underWay.shift()!;
  }
  for (const begun of underWay) yield await begun;
}
