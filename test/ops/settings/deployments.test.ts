import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createSignatureReader } from '../../../ops/check/verify/signature.ts'
import { DEPLOYMENTS } from '../../../ops/settings/deployments.ts'

interface Signed {
  readonly domain: { readonly chainId: number }
  readonly message: Readonly<Record<'slotId' | 'deadline' | 'epochId' | 'snapshotCid' | 'projectId', string>>
  readonly signature: string
  readonly address: string
}

const { real } = JSON.parse(readFileSync(new URL('../../vectors/eip712.json', import.meta.url), 'utf8')) as {
  readonly real: readonly Signed[]
}

describe.each(Object.entries(DEPLOYMENTS))('%s', async (_, deployment) => {
  const reader = await createSignatureReader()
  const separator = reader.domainSeparator(deployment)

  test('default: signatures of its snapshotters recover under the contract that the name stands for', () => {
    const ofChain = real.filter(({ domain }) => domain.chainId === deployment.chainId)
    expect(ofChain.length).toBeGreaterThan(0)
    for (const { message, signature, address } of ofChain) {
      const { slotId, deadline, epochId, ...texts } = message
      const request = { ...texts, slotId: BigInt(slotId), deadline: BigInt(deadline), epochId: BigInt(epochId) }
      expect(reader.signer(reader.digest(separator, request), signature)).toEqual({ address: address.toLowerCase() })
    }
  })

  test('behavior: it is written as contracts are compared', () => {
    expect(deployment.protocolState).toMatch(/^0x[0-9a-f]{40}$/)
  })
})
