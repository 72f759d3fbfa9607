#!/usr/bin/env node
import { launch } from '../lib/launch.mjs';

await launch('apps/agent/src/main.ts');
