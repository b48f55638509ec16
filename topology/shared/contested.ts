/**
 * The header is not signed: an attacker who sees a submission can send it with another one, and be first. So a message that came
 * with two headers is judged by neither (decision 0003). How many more come with how many more headers makes no difference.
 */
import type { Submission } from '../../schemas/types.ts'

type Headed = Pick<Submission, 'header' | 'contested'>

/** True when a copy shows that a message is contested that was not known to be. */
export const isContested = (first: Headed, copy: Headed): boolean =>
  !first.contested && (copy.contested || copy.header !== first.header)
