/** Slots that are kept of those that signed several CIDs for a project. */
export const EQUIVOCATIONS_MAX = 100
