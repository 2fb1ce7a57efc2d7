// Writes prices.json, the prices that come with this library, in the format of LiteLLM's model_prices_and_context_window.json,
// from the npm package @pydantic/genai-prices. Run in a folder where that is installed:
//
//   npm install --no-save @pydantic/genai-prices@0.1.8
//   node prices.mjs 2026-09-23 > prices.json
//
// The date is the package's: of prices that change on a day, those of that date are taken; of prices by the time of day, the dearest.
// What a usage does not know (images by the piece, video, searches, pages, hours) is left out.
import { findProvider } from "@pydantic/genai-prices";

const date = process.argv[2];

/** Its providers, and the prefix that their models get. Models of OpenAI and Anthropic have none. */
const PROVIDERS = {
  openai: () => "",
  azure: () => "azure/",
  anthropic: () => "",
  google: (name) => (/^gem|embed/.test(name) ? "gemini/" : "vertex_ai/"),
  aws: () => "bedrock/",
  mistral: () => "mistral/",
  groq: () => "groq/",
  cohere: () => "cohere/",
  deepseek: () => "deepseek/",
  openrouter: () => "openrouter/",
  "x-ai": () => "xai/",
  perplexity: () => "perplexity/",
  together: () => "together_ai/",
  fireworks: () => "fireworks_ai/",
};

const A_MILLION = 6;
const A_THOUSAND = 3;
const FIELDS = {
  input_mtok: ["input_cost_per_token", A_MILLION],
  cache_read_mtok: ["cache_read_input_token_cost", A_MILLION],
  cache_write_mtok: ["cache_creation_input_token_cost", A_MILLION],
  cache_write_1h_mtok: ["cache_creation_input_token_cost_above_1hr", A_MILLION],
  input_audio_mtok: ["input_cost_per_audio_token", A_MILLION],
  input_image_mtok: ["input_cost_per_image_token", A_MILLION],
  output_mtok: ["output_cost_per_token", A_MILLION],
  output_reasoning_mtok: ["output_cost_per_reasoning_token", A_MILLION],
  output_audio_mtok: ["output_cost_per_audio_token", A_MILLION],
  output_image_mtok: ["output_cost_per_image_token", A_MILLION],
  requests_kcount: ["input_cost_per_request", A_THOUSAND],
  priority_input_mtok: ["input_cost_per_token_priority", A_MILLION],
  priority_cache_read_mtok: ["cache_read_input_token_cost_priority", A_MILLION],
  priority_output_mtok: ["output_cost_per_token_priority", A_MILLION],
};

/** What the package lacks, in dollars for a million tokens, as OpenAI's pages "GPT-4o Audio" and "GPT-4o Mini Audio" have it. */
const MORE = {
  "gpt-4o-audio-preview": { input_audio_mtok: 40, output_audio_mtok: 80 },
  "gpt-4o-mini-audio": { input_audio_mtok: 10, output_audio_mtok: 20 },
  "gpt-4o-mini-audio-preview": { input_audio_mtok: 10, output_audio_mtok: 20 },
};

/**
 * What models of OpenAI's cost with priority, which the package lacks, in dollars for a million tokens of input, cached input and output, as
 * OpenAI's page "Priority Processing for API Customers" has it. Long prompts (above 128,000 tokens) are not served with priority.
 */
const PRIORITY = {
  "gpt-5.5": [12.5, 1.25, 75],
  "gpt-5.4": [5, 0.5, 30],
  "gpt-5.4-mini": [1.5, 0.15, 9],
  "gpt-5.2": [3.5, 0.35, 28],
  "gpt-5.1": [2.5, 0.25, 20],
  "gpt-5": [2.5, 0.25, 20],
  "gpt-5-mini": [0.45, 0.045, 3.6],
  "gpt-4.1": [3.5, 0.875, 14],
  "gpt-4.1-mini": [0.7, 0.175, 2.8],
  "gpt-4.1-nano": [0.2, 0.05, 0.8],
  "gpt-4o": [4.25, 2.125, 17],
  "gpt-4o-2024-05-13": [8.75, undefined, 26.25],
  "gpt-4o-mini": [0.25, 0.125, 1],
  o3: [3.5, 0.875, 14],
  "o4-mini": [2, 0.5, 8],
};

function priority(model) {
  const [priority_input_mtok, priority_cache_read_mtok, priority_output_mtok] = PRIORITY[model] ?? [];
  return { priority_input_mtok, priority_cache_read_mtok, priority_output_mtok };
}

/** The names that a model matches; a pattern that is no name of its own says nothing here. */
function names(match) {
  if (match.or || match.and) {
    return (match.or ?? match.and).flatMap(names);
  }
  const name = match.equals ?? match.starts_with ?? (BEDROCK.test(match.contains) ? match.contains : undefined);
  return name === undefined ? [] : [name.replace(/[-@:]+$/, "")];
}

/** Models of Bedrock have their maker's name before a dot. */
const BEDROCK = /^[a-z0-9-]+\.[a-z]/;

/** What a model of Bedrock costs in its own region is said of "regional." models; the name of the region is left away when it is looked up. */
function named(models, isBedrock) {
  const all = [...models.map((m) => [m.id, m]), ...models.flatMap((m) => names(m.match).map((name) => [name, m]))];
  return !isBedrock
    ? all
    : all
        .map(([name, m]) => [name.replace(/^regional\./, ""), m])
        .filter(([name]) => BEDROCK.test(name) && !/^(us|us-gov|eu|apac|jp|au)\./.test(name));
}

function pricesAt(prices) {
  if (!Array.isArray(prices)) {
    return prices;
  }
  const dated = prices.filter((p) => !p.constraint || (p.constraint.type === "start_date" && p.constraint.start_date <= date));
  const timed = prices.filter((p) => p.constraint?.type === "time_of_date");
  return [dated.at(-1), ...timed]
    .map((p) => p.prices)
    .reduce((one, other) => (other.input_mtok > one.input_mtok ? other : one));
}

/** So many dollars for 10^digits, for one, without a float. */
function each(dollars, digits) {
  const [number, exponent] = String(dollars).split("e");
  return dollars === 0 ? "0" : `${number}e${Number(exponent ?? 0) - digits}`;
}

function fields(prices) {
  return Object.entries(FIELDS).flatMap(([key, [field, digits]]) => {
    const price = prices[key];
    if (price === undefined) {
      return [];
    } else if (typeof price === "number") {
      return [[field, each(price, digits)]];
    }
    const tiers = price.tiers.map(({ start, price }) => {
      const above = start % 1000 === 0 ? `${start / 1000}k` : start;
      return [`${field}_above_${above}_tokens`, each(price, digits)];
    });
    return [[field, each(price.base, digits)], ...tiers];
  });
}

const lines = new Map();
for (const [id, prefix] of Object.entries(PROVIDERS)) {
  const models = findProvider({ providerId: id }).models;
  for (const [name, model] of named(models, id === "aws")) {
    const key = (prefix(name) + name).toLowerCase();
    const ofTiers = id === "openai" ? priority(model.id) : {};
    const priced = fields({ ...pricesAt(model.prices), ...MORE[key], ...ofTiers });
    if (!lines.has(key) && priced.some(([field]) => field === "input_cost_per_token")) {
      lines.set(key, priced.map(([field, price]) => `"${field}": ${price}`).join(", "));
    }
  }
}
const sorted = [...lines.keys()].sort().map((key) => `  ${JSON.stringify(key)}: { ${lines.get(key)} }`);
process.stdout.write(`{\n${sorted.join(",\n")}\n}\n`);
