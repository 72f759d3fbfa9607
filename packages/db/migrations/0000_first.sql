CREATE TABLE "api_tokens" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"hash" text NOT NULL,
	"created_at" bigint NOT NULL,
	"last_used_at" bigint,
	"revoked_at" bigint
);
--> statement-breakpoint
CREATE TABLE "audit" (
	"id" text PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"detail" jsonb
);
--> statement-breakpoint
CREATE TABLE "build_secrets" (
	"build_id" text NOT NULL,
	"id" text NOT NULL,
	"secret_name" text,
	"sealed" "bytea",
	CONSTRAINT "build_secrets_build_id_id_pk" PRIMARY KEY("build_id","id")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"actor" text NOT NULL,
	"key" text NOT NULL,
	"body_hash" text NOT NULL,
	"build_id" text NOT NULL,
	"created_at" bigint NOT NULL,
	CONSTRAINT "idempotency_keys_actor_key_pk" PRIMARY KEY("actor","key")
);
--> statement-breakpoint
CREATE TABLE "login_codes" (
	"hash" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"used_at" bigint
);
--> statement-breakpoint
CREATE TABLE "secrets" (
	"name" text PRIMARY KEY NOT NULL,
	"sealed" "bytea" NOT NULL,
	"created_at" bigint NOT NULL,
	"updated_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"hash" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"token_id" text,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "agents" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"pool" text NOT NULL,
	"credential_hash" text NOT NULL,
	"slots" integer,
	"capacity" integer,
	"draining" boolean DEFAULT false NOT NULL,
	"quarantine_reason" text,
	"revoked_at" bigint,
	"facts" jsonb,
	"boot_id" text,
	"link_id" text,
	"enrolled_at" bigint NOT NULL,
	"last_seen_at" bigint
);
--> statement-breakpoint
CREATE TABLE "enrolment_tokens" (
	"id" text PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"pool" text NOT NULL,
	"created_by" text NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"used_at" bigint,
	"agent_id" text
);
--> statement-breakpoint
CREATE TABLE "pools" (
	"name" text PRIMARY KEY NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attempts" (
	"id" text PRIMARY KEY NOT NULL,
	"build_id" text NOT NULL,
	"number" integer NOT NULL,
	"fence" integer NOT NULL,
	"agent_id" text NOT NULL,
	"state" text NOT NULL,
	"offered_at" bigint NOT NULL,
	"started_at" bigint,
	"ended_at" bigint,
	"acked_seq" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "attempts_state" CHECK (state in ('offered', 'running', 'succeeded', 'failed', 'cancelled', 'lost'))
);
--> statement-breakpoint
CREATE TABLE "builds" (
	"id" text PRIMARY KEY NOT NULL,
	"title" text,
	"state" text NOT NULL,
	"pool" text NOT NULL,
	"priority" integer NOT NULL,
	"spec" text NOT NULL,
	"spec_hash" text NOT NULL,
	"context" text,
	"secret_ids" jsonb NOT NULL,
	"secret_names" jsonb NOT NULL,
	"timeout_ms" bigint,
	"limits" jsonb NOT NULL,
	"refresh" boolean NOT NULL,
	"warnings" jsonb NOT NULL,
	"plan" jsonb NOT NULL,
	"created_at" bigint NOT NULL,
	"created_by" text NOT NULL,
	"started_at" bigint,
	"ended_at" bigint,
	"cancel_requested_at" bigint,
	"error" jsonb,
	"result" text,
	"retry_of" text,
	"fence" integer DEFAULT 0 NOT NULL,
	"live_attempt" text,
	CONSTRAINT "builds_state" CHECK (state in ('queued', 'running', 'succeeded', 'failed', 'cancelled'))
);
--> statement-breakpoint
CREATE TABLE "logs" (
	"id" text PRIMARY KEY NOT NULL,
	"build_id" text NOT NULL,
	"size_bytes" bigint NOT NULL,
	"ended_at" bigint
);
--> statement-breakpoint
CREATE TABLE "step_runs" (
	"id" text PRIMARY KEY NOT NULL,
	"attempt_id" text NOT NULL,
	"build_id" text NOT NULL,
	"position" text NOT NULL,
	"kind" text NOT NULL,
	"state" text NOT NULL,
	"step_id" text,
	"parent_id" text,
	"phase" text,
	"current_bytes" bigint,
	"total_bytes" bigint,
	"started_at" bigint NOT NULL,
	"ended_at" bigint,
	"duration_ms" double precision,
	"size_bytes" bigint,
	"exit" jsonb,
	"error" jsonb
);
--> statement-breakpoint
CREATE TABLE "base_images" (
	"name" text NOT NULL,
	"platform" text NOT NULL,
	"digest" text NOT NULL,
	"resolved_at" bigint NOT NULL,
	CONSTRAINT "base_images_name_platform_pk" PRIMARY KEY("name","platform")
);
--> statement-breakpoint
CREATE TABLE "replicas" (
	"step_id" text NOT NULL,
	"agent_id" text NOT NULL,
	"state" text NOT NULL,
	"size_bytes" bigint,
	"last_used_at" bigint,
	"changed_at" bigint NOT NULL,
	CONSTRAINT "replicas_step_id_agent_id_pk" PRIMARY KEY("step_id","agent_id")
);
--> statement-breakpoint
CREATE TABLE "steps" (
	"id" text PRIMARY KEY NOT NULL,
	"parent_id" text,
	"kind" text NOT NULL,
	"op" text NOT NULL,
	"platform" text NOT NULL,
	"record" jsonb,
	"copies_from" text[] NOT NULL,
	"size_bytes" bigint,
	"duration_ms" double precision,
	"first_built_at" bigint NOT NULL,
	"first_build_id" text,
	"log_id" text,
	"last_used_at" bigint NOT NULL,
	"hits" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "blobs" (
	"digest" text PRIMARY KEY NOT NULL,
	"size_bytes" bigint NOT NULL,
	"created_at" bigint NOT NULL,
	"last_used_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "contexts" (
	"digest" text PRIMARY KEY NOT NULL,
	"entries" integer NOT NULL,
	"blobs" text[] NOT NULL,
	"created_at" bigint NOT NULL,
	"last_used_at" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "agents" ADD CONSTRAINT "agents_pool_pools_name_fk" FOREIGN KEY ("pool") REFERENCES "public"."pools"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_build_id_builds_id_fk" FOREIGN KEY ("build_id") REFERENCES "public"."builds"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "step_runs" ADD CONSTRAINT "step_runs_attempt_id_attempts_id_fk" FOREIGN KEY ("attempt_id") REFERENCES "public"."attempts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "api_tokens_hash" ON "api_tokens" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "audit_at" ON "audit" USING btree ("at");--> statement-breakpoint
CREATE INDEX "audit_subject" ON "audit" USING btree ("subject");--> statement-breakpoint
CREATE UNIQUE INDEX "agents_credential" ON "agents" USING btree ("credential_hash");--> statement-breakpoint
CREATE INDEX "agents_pool" ON "agents" USING btree ("pool");--> statement-breakpoint
CREATE UNIQUE INDEX "enrolment_tokens_hash" ON "enrolment_tokens" USING btree ("hash");--> statement-breakpoint
CREATE UNIQUE INDEX "attempts_fence" ON "attempts" USING btree ("build_id","fence");--> statement-breakpoint
CREATE UNIQUE INDEX "attempts_one_live" ON "attempts" USING btree ("build_id") WHERE state in ('offered', 'running');--> statement-breakpoint
CREATE INDEX "attempts_live_agent" ON "attempts" USING btree ("agent_id") WHERE state in ('offered', 'running');--> statement-breakpoint
CREATE INDEX "builds_list" ON "builds" USING btree ("created_at" DESC NULLS LAST,"id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "builds_spec_hash" ON "builds" USING btree ("spec_hash");--> statement-breakpoint
CREATE INDEX "builds_waiting" ON "builds" USING btree ("pool","priority" DESC NULLS LAST,"created_at","id") WHERE state = 'queued';--> statement-breakpoint
CREATE INDEX "step_runs_attempt" ON "step_runs" USING btree ("attempt_id");--> statement-breakpoint
CREATE INDEX "step_runs_step" ON "step_runs" USING btree ("step_id");--> statement-breakpoint
CREATE INDEX "replicas_agent" ON "replicas" USING btree ("agent_id");--> statement-breakpoint
CREATE INDEX "steps_parent" ON "steps" USING btree ("parent_id");--> statement-breakpoint
CREATE INDEX "steps_last_used" ON "steps" USING btree ("last_used_at");--> statement-breakpoint
CREATE INDEX "blobs_last_used" ON "blobs" USING btree ("last_used_at");--> statement-breakpoint
CREATE INDEX "contexts_last_used" ON "contexts" USING btree ("last_used_at");