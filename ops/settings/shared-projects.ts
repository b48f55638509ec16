/** Markets whose rules let one signed vote count in several of them (decision 0022). */
import type { SharedProjects } from '../../topology/shared/project-ids.ts'

export const sharedInWords = ({ markets: [one, other], patterns }: SharedProjects): string =>
  `A vote for one of ${one} can be sent again for ${other}, whose projects are not told apart (${patterns.join(' and ')}): ` +
  'give both projectIds.'
