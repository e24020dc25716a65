// The dashboard as Node's community writes it: fastify, undici, Promise.all, Redis for the limit.
import { readFileSync } from 'node:fs'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { Pool } from 'undici'
import { dashboardSchema } from './schema.js'

const env = process.env
const services = {
  users: new Pool(env.USERS_URL),
  orders: new Pool(env.ORDERS_URL),
  notifications: new Pool(env.NOTIFICATIONS_URL),
  recommendations: new Pool(env.RECOMMENDATIONS_URL)
}

async function fetchJson (service, path) {
  const { statusCode, body } = await services[service].request({
    path,
    method: 'GET',
    headers: { accept: 'application/json' }
  })
  if (statusCode !== 200) {
    await body.dump()
    throw new Error(`${service} answered ${statusCode}`)
  }
  return body.json()
}

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

await fastify.register(rateLimit, {
  global: false,
  hook: 'preHandler',
  redis: new Redis(env.REDIS_URL),
  keyGenerator: request => request.user.sub
})

fastify.decorate('authorize', async function (request, reply) {
  await request.jwtVerify()
  if (!request.user.scope.split(' ').includes('dashboard:read')) {
    return reply.code(403).send({ detail: 'The scope is missing' })
  }
  if (request.user.sub !== request.params.userId) {
    return reply.code(403).send({ detail: 'Not your dashboard' })
  }
})

fastify.get('/dashboard/:userId', {
  onRequest: [fastify.authorize],
  config: { rateLimit: { max: Number(env.LIMIT_PER_MINUTE), timeWindow: '1 minute' } },
  schema: { response: { 200: dashboardSchema } }
}, async request => {
  const id = encodeURIComponent(request.params.userId)
  const [profile, orders, notifications, recommendations] = await Promise.all([
    fetchJson('users', `/users/${id}`),
    fetchJson('orders', `/orders?user_id=${id}&limit=10`),
    fetchJson('notifications', `/notifications/unread?user_id=${id}`),
    fetchJson('recommendations', `/recommendations/${id}`)
  ])
  return { profile, orders, notifications, recommendations, degraded: [] }
})

await fastify.listen({ host: '127.0.0.1', port: Number(env.PORT) })
