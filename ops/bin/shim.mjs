// libp2p 3 calls Promise.withResolvers, which Node 20 lacks. Loaded before everything else (docs/decisions/0002).
Promise.withResolvers ??= function withResolvers() {
  let resolve
  let reject
  const promise = new this((res, rej) => {
    resolve = res
    reject = rej
  })
  return { promise, resolve, reject }
}
