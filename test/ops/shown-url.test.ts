import { expect, test } from 'vitest'
import { shownUrl, withoutKeys } from '../../ops/shown-url.ts'

const KEY = '0123456789abcdef0123456789abcdef'

test.each([
  ['http://127.0.0.1:8545', 'http://127.0.0.1:8545'],
  [`https://eth.example/v2/${KEY}`, 'https://eth.example/v2/…'],
  [`https://eth.example/rpc?apikey=${KEY}`, 'https://eth.example/rpc?…'],
  ['https://user:secret@eth.example:8080/', 'https://…@eth.example:8080/'],
  ['https://user:sec@ret@eth.example', 'https://…@eth.example'],
  [`wss://eth.example#${KEY}`, 'wss://eth.example#…'],
  ['no address', 'no address'],
])('default: %s', (url, shown) => expect(shownUrl(url)).toBe(shown))

test('behavior: in the words of a library, too', () => {
  const said = `server response 401 (request={  }, info={ "requestUrl": "https://u:p@eth.example/v2/${KEY}", "status": 401 })`
  expect(withoutKeys(said)).toBe(
    'server response 401 (request={  }, info={ "requestUrl": "https://…@eth.example/v2/…", "status": 401 })',
  )
})
