from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100, unique=True)),
                ("price", models.IntegerField(default=0)),
            ],
        ),
        migrations.RunSQL(
            "INSERT INTO shop_item (name, price) VALUES ('from migration', 5)",
            migrations.RunSQL.noop,
        ),
    ]
