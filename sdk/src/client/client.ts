import { direct } from '../parts/direct.ts';
import { eviction } from '../parts/eviction.ts';
import { groups } from '../parts/groups.ts';
import { listing } from '../parts/listing.ts';
import { quality } from '../parts/quality.ts';
import { report } from '../parts/report.ts';
import { search } from '../parts/search.ts';
import { stream } from '../parts/stream.ts';
import { views } from '../parts/views.ts';
import type { Client, ClientOptions } from './api.ts';
import { assemble } from './assemble.ts';

/** A client with all parts. */
export const createClient = (options: ClientOptions): Client =>
  assemble(options, [report, quality, eviction, views, direct, groups, search, stream, listing]);
