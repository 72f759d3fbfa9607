#!/usr/bin/env node
import { launch } from '../lib/launch.mjs';

await launch('apps/cli/src/main.ts');
