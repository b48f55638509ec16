/** Slots that are kept among the slots that signed several CIDs for a project. */
export const EQUIVOCATIONS_MAX = 100
