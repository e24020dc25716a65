// A proxy as Node's community writes it: fastify, @fastify/http-proxy, @fastify/jwt.
import { readFileSync } from 'node:fs'
import httpProxy from '@fastify/http-proxy'
import jwt from '@fastify/jwt'
import Fastify from 'fastify'

const env = process.env
const services = { '/catalog': env.CATALOG_URL, '/files': env.FILES_URL }

const fastify = Fastify({ logger: true })

await fastify.register(jwt, {
  secret: { public: readFileSync(env.PUBLIC_KEY_FILE, 'utf8') },
  verify: {
    algorithms: ['RS256'],
    allowedIss: env.ISSUER,
    allowedAud: env.AUDIENCE,
    cache: env.TOKEN_CACHE === 'true'
  }
})

async function authorize (request, reply) {
  await request.jwtVerify()
  if (!request.user.scope.split(' ').includes('files:use')) {
    return reply.code(403).send({ detail: 'The scope is missing' })
  }
}

for (const [prefix, upstream] of Object.entries(services)) {
  await fastify.register(httpProxy, {
    prefix,
    upstream,
    preHandler: authorize,
    replyOptions: {
      rewriteRequestHeaders: (request, { authorization, ...headers }) => ({
        ...headers,
        'x-user-id': request.user.sub
      })
    }
  })
}

await fastify.listen({ host: '127.0.0.1', port: Number(env.PORT) })
