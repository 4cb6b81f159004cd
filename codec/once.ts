/**
 * Makes something once for each subject, and gives that again. What fails is forgotten: the next call tries again.
 *
 * @param keyOf subjects with the same key are one; without it those that are identical
 */
export function once<Subject, Made>(
  make: (subject: Subject) => Promise<Made>,
  keyOf: (subject: Subject) => unknown = (subject) => subject,
): (subject: Subject) => Promise<Made> {
  const made = new Map<unknown, Promise<Made>>();
  return (subject) => {
    const key = keyOf(subject);
    let found = made.get(key);
    if (!found) {
      found = make(subject);
      made.set(key, found);
      found.catch(() => made.delete(key));
    }
    return found;
  };
}
