/** The winner in the words of an OUTVOTED verdict, "<CID> with <n> of <m> votes"; a CID may hold any of these words. */
export const winnerIn = (expected: string): string => expected.slice(0, Math.max(0, expected.lastIndexOf(' with ')))
