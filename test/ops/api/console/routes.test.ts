import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashOf, parseLookup, placeOf, type Route } from '../../../../ops/api/console/app/routes.ts'

const CID = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'
const UUID = '2a5c1e0e-5b7a-4a3e-9f0e-1c2d3e4f5a6b'
const epoch = (epochId: number, reason = '', project = ''): Route => ({ page: 'epoch', epochId, reason, project })
const slot = (slotId: number, epochId?: number): Route => ({ page: 'lookup', slotId, epochId })

describe('addresses', () => {
  it.each<[string, Route]>([
    ['', { page: 'overview' }],
    ['#/', { page: 'overview' }],
    ['#/epochs', { page: 'epochs' }],
    ['#/epochs/12', epoch(12)],
    ['#/epochs/12?reason=OUTVOTED', epoch(12, 'OUTVOTED')],
    ['#/slots/7?epoch=12', slot(7, 12)],
    ['#/slots/0?epoch=0', slot(0, 0)],
    [`#/batches/${CID}`, { page: 'batch', cid: CID }],
    ['#/transactions', { page: 'transactions' }],
    ['#/cluster', { page: 'cluster' }],
    ['#/days', { page: 'days', day: undefined, slotId: undefined }],
    ['#/days/12?slot=7', { page: 'days', day: 12, slotId: 7 }],
  ])('default: %s', (hash, route) => expect(placeOf(hash).route).toEqual(route))

  it.each([
    '#/days/x',
    '#/epochs/x',
    '#/epochs/-1',
    '#/epochs/9007199254740992',
    '#/batches',
    '#/submissions',
    '#/nowhere',
  ])('error: %s is no page', (hash) => expect(placeOf(hash).route).toEqual({ page: 'unknown' }))

  it('behavior: every page is found again at its own address, whatever its names hold', () => {
    const text = fc.string({ maxLength: 40 })
    const route = fc.oneof(
      fc.record({ page: fc.constant('epoch' as const), epochId: fc.nat(), reason: text, project: text }),
      fc.record({
        page: fc.constant('lookup' as const),
        slotId: fc.nat(),
        epochId: fc.option(fc.nat(), { nil: undefined }),
      }),
      fc.record({
        page: fc.constant('days' as const),
        day: fc.option(fc.nat(), { nil: undefined }),
        slotId: fc.option(fc.nat(), { nil: undefined }),
      }),
      fc.record({ page: fc.constant('submission' as const), submissionId: fc.string({ minLength: 1 }) }),
      fc.record({ page: fc.constant('batch' as const), cid: fc.string({ minLength: 1 }) }),
    )
    fc.assert(
      fc.property(route, fc.option(fc.constant('0xab'), { nil: undefined }), (one, market) => {
        expect(placeOf(hashOf(one, market))).toEqual({ route: one, market })
      }),
    )
  })
  it('behavior: epoch 0, the simulations, has an address too', () => {
    expect(hashOf({ page: 'lookup', slotId: 0, epochId: 0 })).toBe('#/slots/0?epoch=0')
  })
  it('error: an address that cannot be decoded is taken as it stands', () => {
    expect(placeOf('#/batches/%E0%A4%A').route).toEqual({ page: 'batch', cid: '%E0%A4%A' })
  })
})

describe('the look-up', () => {
  it.each<[string, Route]>([
    ['7', slot(7)],
    [' slot 7 ', slot(7)],
    ['7/12', slot(7, 12)],
    ['7 in 12', slot(7, 12)],
    ['slot 7 in epoch 12', slot(7, 12)],
    ['7@12', slot(7, 12)],
    ['epoch 12', epoch(12)],
    ['e12', epoch(12)],
    [UUID.toUpperCase(), { page: 'submission', submissionId: UUID }],
    [CID, { page: 'batch', cid: CID }],
    [
      'QmdFHpLZ7GDKBYYtv1ZzFxF4Y4bWqQx2yMuRXtS4ZqzXxW',
      { page: 'batch', cid: 'QmdFHpLZ7GDKBYYtv1ZzFxF4Y4bWqQx2yMuRXtS4ZqzXxW' },
    ],
  ])('default: %s', (typed, route) => expect(parseLookup(typed)).toEqual(route))

  it.each(['', 'seven', '0x12', '-7', 'bafy', '7/12/3'])('error: %j is none of them', (typed) =>
    expect(parseLookup(typed)).toBeUndefined(),
  )
})
