/**
 * Keeps texts once that the records of a scope repeat: in a million votes of an epoch, all but the ids and the signatures.
 * A vote needs a third less memory so, and the close groups and compares equal texts without looking at their characters.
 * Texts that a store restored are not shared.
 */
export function createSharedTexts() {
  const byScope = new Map<string, (text: string) => string>()
  return {
    /** Answers each text with the equal one that the scope has already. */
    of(scope: string): (text: string) => string {
      const known = byScope.get(scope)
      if (known) return known
      const share = createShare()
      byScope.set(scope, share)
      return share
    },
    forget: (scope: string): void => void byScope.delete(scope),
  }
}

function createShare(): (text: string) => string {
  const texts = new Map<string, string>()
  return (text) => {
    const known = texts.get(text)
    if (known !== undefined) return known
    texts.set(text, text)
    return text
  }
}
