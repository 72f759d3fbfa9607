CREATE TABLE "doctor_reports" (
	"agent_id" text PRIMARY KEY NOT NULL,
	"at" bigint NOT NULL,
	"problems" integer NOT NULL,
	"warnings" integer NOT NULL,
	"report" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "doctor_reports" ADD CONSTRAINT "doctor_reports_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE no action ON UPDATE no action;