/** A number as JSON-RPC has it. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`
