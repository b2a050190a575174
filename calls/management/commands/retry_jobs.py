"""`manage.py retry_jobs`: runs parked jobs again, once what parked them is mended."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from calls import commands
from calls.models import Job


class Command(BaseCommand):
    help = "Runs parked jobs again. Without --run it only lists them with their reasons."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run", action="store_true", help="run them, instead of listing them")
        parser.add_argument("--kind", default="", help="only this kind, for example calls.upload_recording")
        parser.add_argument("--session", default="", help="only the jobs of this call (sess_…)")

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = Job.objects.filter(state=Job.State.PARKED).select_related("session").order_by("id")
        if options["kind"]:
            jobs = jobs.filter(kind=options["kind"])
        if options["session"]:
            jobs = jobs.filter(session__session_id=options["session"])
        found = list(jobs)
        for job in found:
            self.stdout.write(f"{job.session.session_id}  {job.kind}  {job.last_error}")
        if not found:
            self.stdout.write("No parked job.")
        elif options["run"]:
            again = sum(commands.retry_job(job, by="manage.py retry_jobs") for job in found)
            self.stdout.write(f"{again} of {len(found)} run again.")
        else:
            self.stdout.write(f"{len(found)} parked. Add --run to run them again.")
