/**
 * Keeps texts once that the records of a scope repeat: in a million votes of an epoch, all but the ids and the signatures.
 * A vote needs a third less memory so, and the close groups and compares equal texts without looking at their characters.
 * What a store restored has texts of its own.
 */
export function createSharedTexts() {
  const byScope = new Map<string, Map<string, string>>()

  const textsOf = (scope: string): Map<string, string> => {
    const known = byScope.get(scope)
    if (known) return known
    const texts = new Map<string, string>()
    byScope.set(scope, texts)
    return texts
  }

  return {
    /** Answers each text with the equal one that the scope has already. */
    of(scope: string): (text: string) => string {
      const texts = textsOf(scope)
      return (text) => {
        const known = texts.get(text)
        if (known !== undefined) return known
        texts.set(text, text)
        return text
      }
    },
    forget: (scope: string): void => void byScope.delete(scope),
  }
}
