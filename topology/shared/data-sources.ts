/** Entries of one market's list; they are in the rules, which every process has whole. */
export const DATA_SOURCES_MAX = 4_096

/** The fault of a list of data sources; undefined when it has none. Each of its texts is the second part of a project id. */
export function dataSourcesFault(dataSources: readonly string[]): string | undefined {
  if (dataSources.length > DATA_SOURCES_MAX)
    return `has ${dataSources.length} entries, at most ${DATA_SOURCES_MAX} can be`
  const wrong = dataSources.find((source) => source === '' || source.includes(':') || source !== source.toLowerCase())
  return wrong === undefined
    ? undefined
    : `has ${JSON.stringify(wrong)}, which is empty, not in lower case, or has a colon`
}
