ALTER TABLE "step_runs" ADD COLUMN "phase_started_at" bigint;--> statement-breakpoint
ALTER TABLE "step_runs" ADD COLUMN "phases" jsonb;