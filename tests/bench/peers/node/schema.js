// The JSON schema of a dashboard; fastify compiles its serializer from it.
const string = { type: 'string' }
const integer = { type: 'integer' }
const number = { type: 'number' }
const boolean = { type: 'boolean' }
const nullable = { type: ['string', 'null'] }

const object = properties => ({ type: 'object', properties })
const array = items => ({ type: 'array', items })

const profile = object({
  id: integer,
  email: string,
  full_name: string,
  is_active: boolean,
  plan: string,
  created_at: string,
  locale: string,
  avatar_url: string,
  address: object({ city: string, country: string, postcode: string }),
  loyalty_points: integer
})

const order = object({
  id: integer,
  user_id: integer,
  status: string,
  total: number,
  currency: string,
  items: array(object({ sku: string, name: string, quantity: integer, price: number })),
  created_at: string,
  tracking: nullable,
  carrier: nullable,
  paid: boolean
})

const notification = object({
  id: integer,
  type: string,
  title: string,
  body: string,
  read: boolean,
  at: string
})

const recommendation = object({
  sku: string,
  name: string,
  price: number,
  score: number,
  image: string,
  reason: string
})

export const dashboardSchema = object({
  profile,
  orders: array(order),
  notifications: array(notification),
  recommendations: array(recommendation),
  degraded: array(string)
})
